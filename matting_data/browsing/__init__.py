"""Looking at datasets in FiftyOne, and taking what people decide there back."""
