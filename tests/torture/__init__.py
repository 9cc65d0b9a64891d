"""What is too long, too rough or too privileged for every day? `make torture` runs it."""
