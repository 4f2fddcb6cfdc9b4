"""What Debian's nova-compute does; its package would bring in libvirt and QEMU."""
import os
import sys

import nova.virt

sys.argv[0] = 'nova-compute'
# Nova looks for its compute_driver below nova.virt only.
nova.virt.__path__.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'drivers'))

from nova.cmd.compute import main  # noqa: E402

sys.exit(main())
