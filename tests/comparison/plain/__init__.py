"""Django's own compilers, in engines that may connect where our app is installed."""
