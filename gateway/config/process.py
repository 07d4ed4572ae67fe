"""What libraries of this process read from the environment, which nobody else sets."""

import os


def without_fork_support_of_grpc() -> None:
    """No child of ours calls gRPC; and its guard would write a line for each child to the log.

    It is read when gRPC is imported.
    """
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
