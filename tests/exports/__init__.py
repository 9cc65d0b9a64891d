"""What people take along, read back by the tools that they use."""
