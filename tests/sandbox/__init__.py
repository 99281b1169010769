"""The sandbox over real HTTP, started as the process it is. Nothing here needs Django."""
