import signal
import sys

try:
    from deploy.cli import main
except ModuleNotFoundError as error:
    sys.exit(f"error: the Python module {error.name} is missing: run `make setup`")

if __name__ == "__main__":
    # What starts this command may end it with SIGTERM: that cleans up as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
