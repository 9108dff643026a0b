"""Virtual time: a kernel whose clock stops while programs compute, and jumps while all wait."""
