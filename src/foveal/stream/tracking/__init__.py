"""Who is who from picture to picture, and how many went where: on arrays, without a network or scipy."""
