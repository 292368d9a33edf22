"""What can be removed, how it is scored, ranked, selected and masked."""
