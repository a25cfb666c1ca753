"""One export call: its target, formats and options, validated before a model is built."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edgevit.backends import backend_for
from edgevit.evaluate import check_labelled
from edgevit.export.clock import require_timed_here
from edgevit.export.request import DEFAULT_REQUEST, ExportRequest
from edgevit.export.stages import rules_of
from edgevit.export.vain import require_samples
from edgevit.frontend import ModelArguments
from edgevit.quantize import (
    EVERY,
    GENERATED,
    PRODUCTS,
    QuantScheme,
    check_readable,
    picture_path,
    require_mixed,
    require_pictures,
)
from edgevit.rewrites.lossy.parser import LossyOption, parse_lossy
from edgevit.rewrites.rule import AnyRule
from edgevit.support.backend_info import AUTO, BACKENDS, AutomaticPrecision
from edgevit.support.doctor import require_installed
from edgevit.targets import Target, load_target, require_taken


@dataclass(frozen=True)
class ExportJob:
    """Validated options of one export call, for all its formats."""

    target: Target
    formats: Sequence[str]
    precisions: Mapping[str, str]  # by format
    automatic: Mapping[
        str, AutomaticPrecision
    ]  # by format, where the precision asked for is `auto`
    lossy: Sequence[LossyOption]
    without: Sequence[str]
    request: ExportRequest

    def scheme(self, format: str) -> QuantScheme | None:
        """Return how the format computes in integers, or None where it computes in floats."""
        scheme = BACKENDS[format].scheme(self.precisions[format], self.target)
        if scheme is not None and self.request.require_integer:
            return replace(scheme, float_stream=False, float_worst=False)
        return scheme

    def calibrated(self, format: str) -> bool:
        """Check that the format's ranges are chosen on calibration inputs."""
        return self.precisions[format] in BACKENDS[format].calibrates

    def written_as(self, format: str, automatic: AutomaticPrecision) -> ExportJob:
        """Return the job with `auto` in floats for one format, which calibrates no ranges."""
        read = any(step.option.calibrated for step in self.lossy)
        return replace(
            self,
            precisions={**self.precisions, format: automatic.precision},
            automatic={**self.automatic, format: automatic},
            request=self.request if read else replace(self.request, calibration=GENERATED),
        )

    @property
    def tried_with(self) -> QuantScheme:
        """Return how much computes in integers where the program is prepared: all, for firmware."""
        firmware = [f for f in self.formats if self.calibrated(f) and self.scheme(f) is None]
        return EVERY if firmware else PRODUCTS

    @property
    def first_rules(self) -> Sequence[AnyRule]:
        """Return the rules that come before the standard ones; none where several formats share the program."""
        place = BACKENDS[self.formats[0]].first_rules if len(self.formats) == 1 else None
        return BACKENDS[self.formats[0]].part(place) if place else ()

    def with_kept_buffers(self, model: ModelArguments) -> ModelArguments:
        """Return the model with the buffers that become inputs and outputs, as its format's options name them."""
        options = [self.request.options_for(format) for format in self.formats]
        buffers = dict.fromkeys(
            name for one in options if one is not None for name in one.kept_buffers
        )
        if not buffers:
            return model
        return replace(model, options=replace(model.options, kept_buffers=tuple(buffers)))

    def require_room(self, weights: Mapping[str, int], share: float) -> None:
        """Refuse weights that do not fit a device, of which at least `share` will be left."""
        for format in self.formats:
            if place := BACKENDS[format].room:
                options = self.request.options_for(format)
                BACKENDS[format].part(place)(weights, self.target, options, share)

    def require_pictures(self) -> None:
        """Refuse ranges from noise for trained weights, where random ones may have them."""
        for format in filter(self.calibrated, self.formats):
            if self.scheme(format) is None:
                require_pictures(self.request.calibration, self.precisions[format])

    @classmethod
    def validated(
        cls,
        target: str,
        formats: Sequence[str | None],
        precision: str | None = None,
        lossy: str | Sequence[str] = (),
        without: Sequence[str] = (),
        request: ExportRequest = DEFAULT_REQUEST,
    ) -> ExportJob:
        """Validate the request before the expensive model build."""
        device = load_target(target)
        require_taken(device, formats)
        chosen = list(dict.fromkeys(device.format(format) for format in formats))
        precisions = {format: device.precision(precision, format) for format in chosen}
        automatic = {f: device.automatic(f) for f in chosen} if precision == AUTO else {}
        if request.require_integer:
            automatic = {f: replace(one, slowest=math.inf) for f, one in automatic.items()}
        job = cls(device, chosen, precisions, automatic, parse_lossy(lossy), without, request)
        for format in chosen:
            require_installed(BACKENDS[format])
            backend = backend_for(format, device)
            request.reject_inapplicable(format, backend, precisions[format])
            rules_of(backend, format, without, request)
        offered = {f: device.written(f) if automatic else [p] for f, p in precisions.items()}
        require_samples(job.lossy, request.calibration)
        request.reject_unused(offered, any(step.option.calibrated for step in job.lossy))
        for format, precision in precisions.items():
            scheme = job.scheme(format)
            if scheme is not None and scheme.needs_pictures:
                require_pictures(request.calibration, precision)
        if require_mixed(request.calibration, precisions.values()).is_latency:
            for format in chosen:
                require_timed_here(format, device)
        if (path := picture_path(request.calibration)) is not None:
            check_readable(path, request.calibration.calibrate_count)
        request.evaluation.require_data()
        if (data := request.evaluation.evaluate) is not None:
            check_labelled(data)
        return job
