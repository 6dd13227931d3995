"""What passes between the stages of a build: one dataclass a stage, and Parquet tables of them."""
