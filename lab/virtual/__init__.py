"""Virtual time: a kernel whose clock stands still while anything computes, and jumps while all wait."""
