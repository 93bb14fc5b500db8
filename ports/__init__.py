"""What the programs need of the world, as protocols, and the plain types that cross them."""
