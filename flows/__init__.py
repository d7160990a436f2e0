"""What runs and in what order: the Prefect flow, the stage engine and the command line. Prefect is imported here only."""
