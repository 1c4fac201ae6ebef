"""Learn from pictures with texts, and recognize things by naming them."""
