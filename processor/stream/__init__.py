"""The Faust program: commands, webhooks and results in, versions of payments out."""
