"""What bench/cpu is made of: `processes` pins, `servers` starts, fills and asks them, `load` measures one
window, `report` sums up."""
