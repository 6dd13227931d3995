"""Image encoders, in torch alone, with the parameter names under which their ImageNet weights are published."""
