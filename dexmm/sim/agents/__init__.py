"""Those who trade in a simulated market, and what moves them: prices, gas, flow."""
