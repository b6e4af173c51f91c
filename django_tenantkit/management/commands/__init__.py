"""The commands, one module each: parse, call one function of `lifecycle/`, print."""
