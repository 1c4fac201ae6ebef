"""What can happen to a picture between the world and the model, for training and for evaluation."""
