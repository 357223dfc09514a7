"""A plug-in of pytest: nbval's kernels talk by sockets of the file system and open no port."""

from functools import partialmethod

from jupyter_client.manager import KernelManager

from blindlib.common.processes import kernel_arguments

KernelManager.__init__ = partialmethod(KernelManager.__init__, transport="ipc")
KernelManager.start_kernel = partialmethod(KernelManager.start_kernel, extra_arguments=kernel_arguments())
