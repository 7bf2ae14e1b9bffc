"""Files and their names: written whole or not at all, under names that every system can store; and PLY headers."""
