"""From pictures to a trained classifier with its evidence. Only this room uses TensorFlow."""
