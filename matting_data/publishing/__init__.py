"""What a built dataset shows of itself: contact sheets and statistics."""
