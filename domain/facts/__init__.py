"""How the provider's facts are read together: which object each is about, and which counts."""
