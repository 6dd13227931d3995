"""Methods as predictors: trained networks and classical matting, over test sets and photographs."""
