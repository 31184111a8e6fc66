"""What every station stands on: ids, errors, clock, money, random streams, configuration."""
