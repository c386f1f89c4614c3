"""What every race shares: environments, contenders in processes of their own, turns, medians, tables."""
