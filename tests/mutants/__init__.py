"""Plants known bugs of payment services one at a time, and checks that the tests find each."""
