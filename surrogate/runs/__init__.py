"""What happened: runs in parallel, each committed to a durable store before it is reported done."""
