"""What stands behind run.py: environments, hosts, a client and the workflow format. Standard library only."""
