"""What does a teacher know? New points, a teacher's answers to them, and a student that learns from these."""
