"""What a plan is made from: everything that was found out, and nothing that still has to be asked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ci_lib.config.resolved import Resolved
from ci_lib.domain.images import Image, Release
from ci_lib.domain.running import Running
from ci_lib.domain.target import Candidate
from ci_lib.images.rule import VerifiedImage


@dataclass(frozen=True, slots=True, kw_only=True)
class HostGround:
    """The facts of one host of several; the fields are those of ``Ground``."""

    name: str
    candidate: Candidate
    running: tuple[Running, ...] = ()
    previous: Release | None = None
    adopted: Release | None = None
    good: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The facts of one run.

    ``verified`` are the images that may run here: only the verified-image rule makes them. ``previous`` is
    the release that serves now, ``adopted`` the same when it was not us who deployed it; ``good``: it once
    passed everything here. ``snapshot`` is the id of the kept release whose files are taken, empty for
    the checkout's files. ``only`` are the names of the images that change, empty for all. ``backup`` is the
    name of the backup that this run makes, if it makes one.

    ``rehearsed`` are the schema's heads that were applied where this environment requires it, empty where
    nothing is required. ``schema_to`` are the revisions that a rollback takes the schema back to, None where
    it stays. ``revoked`` are the names of images that must not count as verified here. ``notes`` are what a
    person has to know beforehand.
    """

    settings: Resolved
    candidate: Candidate
    verified: tuple[VerifiedImage, ...]
    running: tuple[Running, ...] = ()
    previous: Release | None = None
    adopted: Release | None = None
    good: bool = False
    snapshot: str = ""
    only: tuple[str, ...] = ()
    skip_checks: bool = False
    rehearsed: tuple[str, ...] = ()
    schema_to: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    revoked: tuple[str, ...] = ()
    backup: str = ""
    hosts: tuple[HostGround, ...] = ()

    def on(self, host: HostGround) -> "Ground":
        """The facts of one host alone; the release, and what it needs beside its images, is that of all."""
        ours = self.candidate
        return replace(
            self,
            candidate=replace(host.candidate, release=ours.release, others=ours.others, hosts={}),
            running=host.running,
            previous=host.previous,
            adopted=host.adopted,
            good=host.good,
            hosts=(),
        )

    @property
    def release(self) -> Release:
        """The release that is to serve."""
        return self.candidate.release

    @property
    def changed(self) -> tuple[Image, ...]:
        """The images that this run brings in."""
        return tuple(v.image for v in self.verified if not self.only or v.image.name in self.only)

    @property
    def whole(self) -> bool:
        """Whether what serves afterwards is the release in full.

        Not when single images are switched and the files have changed too: the other services have not seen
        those, so the release cannot be called verified.
        """
        return not self.only or (self.previous is not None and self.previous.files == self.release.files)

    @property
    def services(self) -> tuple[str, ...]:
        """The services to switch when not all images change; empty: the whole stack."""
        if not self.only:
            return ()
        return tuple(s for name in self.only for s in self.settings.images[name].services)

    @property
    def migrates(self) -> bool:
        """Whether this run brings in the image that the schema follows."""
        migration = self.settings.settings.migration
        if migration is None:
            return False
        return not self.only or any(
            migration.service in self.settings.images[name].services for name in self.only
        )

    @property
    def supporting(self) -> tuple[str, ...]:
        """What has to be started before the schema of a first deploy can be migrated, as its database.

        Empty once anything serves: then nothing is switched before the schema is ready.
        """
        if not self.migrates or self.previous is not None:
            return ()
        one_shot = self.settings.settings.compose.one_shot
        there = {item.workload for item in self.running if item.serving or item.workload in one_shot}
        needs = self.candidate.needs
        return () if there.issuperset(needs) else needs

    @property
    def unchanged(self) -> bool:
        """Whether every managed instance already carries the wanted release and runs its images.

        Never for what was adopted: a target that does not remember it could not go back to it either. Where
        the whole stack is meant, the services that we do not manage have to be there too; how they are is not
        the release's concern. Of several hosts, on each of them.
        """
        if self.hosts:
            return all(self.on(host).unchanged for host in self.hosts)
        if self.adopted is not None:
            return False
        counts = instances(self.running)
        managed = self.candidate.workloads
        wanted = self.services or tuple(managed)
        ours = [item for item in self.running if item.workload in wanted]
        one_shot = self.settings.settings.compose.one_shot
        return (
            all(counts.get(name, 0) >= managed.get(name, 1) for name in wanted)
            and all(item.release_id == self.release.id for item in ours)
            and all(item.serving or item.workload in one_shot for item in ours)
            and (bool(self.only) or self.candidate.unmanaged <= {*counts, *one_shot})
            and not strangers(self.release, self.settings, self.running)
        )


def instances(running: tuple[Running, ...]) -> Mapping[str, int]:
    """Workload → number of instances."""
    names = [item.workload for item in running]
    return {name: names.count(name) for name in names}


def strangers(
    release: Release, settings: Resolved, running: tuple[Running, ...]
) -> tuple[tuple[Running, Image], ...]:
    """The managed instances that do not run the image they should, each with that image."""
    wanted = {
        service: image
        for image in release.images
        if image.name in settings.images  # an older release may have images that deploy.yml forgot
        for service in settings.images[image.name].services
    }
    return tuple(
        (item, wanted[item.workload])
        for item in running
        if item.workload in wanted and not item.runs(wanted[item.workload])
    )

