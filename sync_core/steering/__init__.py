"""What steers a run beside averaging: changes of the average, of the state between steps, of what the model says."""
