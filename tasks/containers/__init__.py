"""Files that hold files: one small interface to zip, tar, 7z, disc images and compressed files, nested or not.

A `Container` lists its members and opens one as a stream; nothing is ever written to disk under a member's name. Members can be
opened in any order at the same cost: what can only be read from its beginning (a compressed tar, a 7z, a container in another)
is unpacked once, to where `tasks.containers.kept` says. `tasks.containers.nest` finds the container at a path.
"""

from tasks.containers.container import Container, Member, is_damage
from tasks.containers.kinds import container_type
from tasks.containers.nest import HEAD, Outermost, container_at

__all__ = ["HEAD", "Container", "Member", "Outermost", "container_at", "container_type", "is_damage"]
