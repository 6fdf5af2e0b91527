"""Lift, moment and surface pressure of NACA 4-digit sections in inviscid flow, by a linear-vorticity panel method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

from surrogate.simulation import Output, Series, simulator
from surrogate.space import Real, Space

__all__ = ["Coefficients", "PanelFlow", "airfoil", "naca4", "panel_angles", "solve_panels"]

FloatArray = NDArray[np.float64]

# Fewer panels than this leave the nose a corner, and its suction peak an accident of where the nodes fall.
MIN_PANELS = 20

# A gap at the trailing edge, as a share of the chord, below which the section counts as sharp and above which the ends
# of the contour are no trailing edge at all. The blunt base of a NACA section is 2.1% of its thickness.
SHARP = 1e-6
WIDEST_BASE = 0.1

# The panels at the nose are this share shorter than at equal steps in theta, and those at the trailing edge longer: it
# cuts the error of the suction peak to a quarter and costs the lift no more than 0.0003.
NOSE_CLUSTERING = 0.5

# Where the pressure is reported: 40 steps on each surface.
STATIONS = np.linspace(0, 2 * np.pi, 81)

# Half thickness of a section of thickness 1: the factor of sqrt(x), and those of x, x^2, x^3, x^4 (NACA Report 460).
# With -0.1015 the trailing edge is blunt; the -0.1036 that some codes use closes it.
HALF_THICKNESS_ROOT = 5 * 0.2969
HALF_THICKNESS = (0.0, 5 * -0.1260, 5 * -0.3516, 5 * 0.2843, 5 * -0.1015)


def naca4(
    theta: ArrayLike,
    camber: float,
    camber_position: float,
    thickness: float,
    *,
    perpendicular_to: Literal["chord", "camber line"] = "chord",
) -> FloatArray:
    """Points on the surface of a NACA 4-digit section.

    Parameters
    ----------
    theta : array of shape (m,)
        Polar angles in [0, 2 pi], rad: the station on the chord is ``x = (1 + cos(theta)) / 2``, on the lower surface
        below pi and on the upper surface above.
    camber, camber_position, thickness : float
        Largest camber, where it lies, and largest thickness, in chords.
    perpendicular_to : {"chord", "camber line"}
        How the thickness is laid off. Report 460 [1]_ does so perpendicular to the camber line. XFOIL [2]_ does so
        perpendicular to the chord, which keeps x at its station: then x is never negative, and pressures at one angle
        belong to one x whatever the camber.

    Returns
    -------
    array of shape (m, 2)
        In chords; the leading edge of the camber line is the origin, its trailing edge (1, 0).

    Raises
    ------
    ValueError
        If an argument is not finite, an angle lies outside [0, 2 pi], the camber's position does not lie inside the
        chord, or the thickness is not positive.

    References
    ----------
    .. [1] E. N. Jacobs, K. E. Ward, R. M. Pinkerton, "The characteristics of 78 related airfoil sections from tests in
       the variable-density wind tunnel", NACA Report 460, 1933.
    .. [2] M. Drela, XFOIL 6.99, 2013 (``NACA4``).

    Examples
    --------
    >>> naca4([0, np.pi / 2, np.pi, 3 * np.pi / 2, 2 * np.pi], 0, 0.4, 0.12).round(5) + 0.0
    array([[ 1.     , -0.00126],
           [ 0.5    , -0.05294],
           [ 0.     ,  0.     ],
           [ 0.5    ,  0.05294],
           [ 1.     ,  0.00126]])
    """
    angles = np.asarray(theta, dtype=float)
    if angles.ndim != 1 or not np.all((angles >= 0) & (angles <= 2 * np.pi)):
        raise ValueError("theta must be an array of shape (m,) of angles in [0, 2 pi] rad")
    if not np.isfinite([camber, camber_position, thickness]).all():
        raise ValueError(f"a section needs finite numbers, got {camber=}, {camber_position=}, {thickness=}")
    if not 0 < camber_position < 1:
        raise ValueError(f"camber_position must lie between 0 and 1 chord, got {camber_position}")
    if thickness <= 0:
        raise ValueError(f"thickness must be positive, got {thickness}")
    if perpendicular_to not in ("chord", "camber line"):
        raise ValueError(f"perpendicular_to must be 'chord' or 'camber line', got {perpendicular_to!r}")

    x = (1 + np.cos(angles)) / 2
    # |cos(theta / 2)| is sqrt(x) without its loss of digits at the nose.
    half = HALF_THICKNESS_ROOT * np.abs(np.cos(angles / 2)) + np.polynomial.polynomial.polyval(x, HALF_THICKNESS)
    offset = np.where(angles < np.pi, -1, 1) * thickness * half

    # Two parabolas that meet at the largest camber; both end on the chord.
    scale = camber / np.where(x < camber_position, camber_position, 1 - camber_position) ** 2
    line = camber - scale * (x - camber_position) ** 2
    if perpendicular_to == "chord":
        return np.column_stack([x, line + offset])
    slope = -2 * scale * (x - camber_position)
    length = np.hypot(1, slope)
    return np.column_stack([x - offset * slope / length, line + offset / length])


def panel_angles(panels: int) -> FloatArray:
    """Polar angles of the nodes of so many panels, denser at the nose.

    Parameters
    ----------
    panels : int
        Even, so that a node lies on the leading edge and a symmetric section stays symmetric; at least 20.

    Returns
    -------
    array of shape (panels + 1,)
        From 0 to 2 pi, rad.

    Raises
    ------
    ValueError
        If `panels` is odd, too small or no whole number.
    """
    if not isinstance(panels, (int, np.integer)) or panels < MIN_PANELS or panels % 2:
        raise ValueError(f"panels must be an even whole number, at least {MIN_PANELS}, got {panels!r}")
    # Both halves from one array, for a symmetric section to stay so to the last digit.
    upper = np.linspace(0, np.pi, panels // 2 + 1)
    upper = upper - NOSE_CLUSTERING * np.sin(upper)
    return np.concatenate([np.pi - upper[:0:-1], np.pi + upper])


class Coefficients(NamedTuple):
    """Forces and moment on a section, per dynamic pressure and chord (the moment: chord squared)."""

    lift: float
    drag: float
    moment: float


@dataclass(frozen=True, eq=False)
class PanelFlow:
    """Flow past a section, for a free stream of speed 1; made by :func:`solve_panels`."""

    contour: FloatArray  # (n + 1, 2), nodes clockwise from the trailing edge, so over the lower surface first
    alpha_deg: float  # angle of the free stream to the x axis
    speed: FloatArray  # (n + 1,), along the surface at the nodes; positive clockwise
    circulation: float  # clockwise

    def __post_init__(self) -> None:
        for name in ("contour", "speed"):
            values = np.array(getattr(self, name), dtype=float)
            values.setflags(write=False)
            object.__setattr__(self, name, values)

    @property
    def pressure(self) -> FloatArray:
        """Pressure coefficient at the nodes, array of shape (n + 1,)."""
        return 1 - self.speed**2

    def coefficients(self, *, chord: float = 1.0, about: tuple[float, float] = (0.25, 0.0)) -> Coefficients:
        """Lift, drag and moment by integrating the pressure over the contour and its base.

        Parameters
        ----------
        chord : float
            In the contour's unit of length.
        about : (float, float)
            The moment's point; positive is nose up.

        Returns
        -------
        Coefficients
            The drag of a closed section is the method's error, by d'Alembert's paradox. A blunt section has a small
            negative one: thrust, because its base blows.
        """
        # Simpson's rule is exact here: the speed is linear along a panel, so pressure times arm is a cubic.
        nodes = np.vstack([self.contour, self.contour[:1]])
        speed = np.append(self.speed, self.speed[0])
        # Across the base the pressure is that of its corners, equal by the Kutta condition: their speeds have opposite
        # signs, and must not be averaged to rest.
        start, end = 1 - speed[:-1] ** 2, 1 - speed[1:] ** 2
        middle = 1 - ((speed[:-1] + speed[1:]) / 2) ** 2
        middle[-1] = (start[-1] + end[-1]) / 2
        along = np.diff(nodes, axis=0)
        # Force per pressure: inwards, to the right of a clockwise contour.
        inward = np.column_stack([along[:, 1], -along[:, 0]])
        push = ((start + 4 * middle + end) / 6)[:, None] * inward
        arm_start, arm_end = nodes[:-1] - about, nodes[1:] - about
        weighted_arm = (
            start[:, None] * arm_start + 2 * middle[:, None] * (arm_start + arm_end) + end[:, None] * arm_end
        ) / 6
        nose_up = weighted_arm[:, 1] * inward[:, 0] - weighted_arm[:, 0] * inward[:, 1]

        force = push.sum(axis=0) / chord
        downstream = _direction(self.alpha_deg)
        return Coefficients(
            lift=float(force[1] * downstream[0] - force[0] * downstream[1]),
            drag=float(force @ downstream),
            moment=float(nose_up.sum()) / chord**2,
        )


def solve_panels(contour: ArrayLike, alpha_deg: float) -> PanelFlow:
    r"""Incompressible, inviscid flow past any section.

    Parameters
    ----------
    contour : array of shape (n + 1, 2)
        Nodes of n >= 20 straight panels, once around from the trailing edge back to it, in either direction. Where the
        two ends coincide the trailing edge is sharp, else a blunt base joins them.
    alpha_deg : float
        Angle of the free stream to the x axis, degrees.

    Returns
    -------
    PanelFlow

    Raises
    ------
    ValueError
        If the contour has the wrong shape, too few panels, numbers that are not finite, repeated nodes, no area, or
        ends too far apart for a trailing edge; if the angle is not finite.

    Notes
    -----
    The stream function of a sheet of vorticity gamma, linear along each panel, and the free stream is

    .. math:: \psi(x, y) = y \cos\alpha - x \sin\alpha + \frac{1}{2\pi} \int \gamma(s) \ln r(s)\, ds .

    It has one unknown value at all nodes, which puts the fluid inside at rest; gamma then is the speed along the
    surface. The Kutta condition is that the two gammas at the trailing edge cancel [1]_. Out of a blunt base flows
    fluid with the velocity V, along the bisector, with which the two surfaces are left: the base holds sources of
    strength V times the sine, and vorticity V times the cosine, of the angle between base and bisector. At a sharp
    edge two nodes and hence two equations are the same; one gives way to the mean speed of the surfaces being linear
    in the distance from the edge. The method is of second order in the length of panels.

    References
    ----------
    .. [1] M. Drela, "XFOIL: an analysis and design system for low Reynolds number airfoils", in T. J. Mueller (ed.),
       Low Reynolds Number Aerodynamics, Springer, 1989.
    .. [2] J. Katz, A. Plotkin, Low-Speed Aerodynamics, 2nd ed., Cambridge University Press, 2001, ch. 11.
    """
    nodes = _checked_contour(contour)
    if not np.isfinite(alpha_deg):
        raise ValueError(f"alpha_deg must be finite, got {alpha_deg}")
    n = len(nodes) - 1
    along = np.diff(nodes, axis=0)
    length = np.hypot(along[:, 0], along[:, 1])
    base = nodes[0] - nodes[-1]
    width = float(np.hypot(*base))
    is_sharp = width <= SHARP * float(np.ptp(nodes, axis=0).max())

    # Unknown are n + 1 gammas and the stream function on the surface; the last row is the Kutta condition.
    matrix = np.zeros((n + 2, n + 2))
    by_start, by_end = _vortex_influence(nodes, nodes[:-1], along / length[:, None], length)
    matrix[:-1, :n] = by_start
    matrix[:-1, 1 : n + 1] += by_end
    matrix[:-1, -1] = -1
    matrix[-1, [0, n]] = 1
    stream = _direction(alpha_deg)
    right = np.append(nodes[:, 0] * stream[1] - nodes[:, 1] * stream[0], 0)

    base_vorticity = 0.0  # per speed at which the surfaces are left
    if is_sharp:
        # Rows 0 and n are one equation. The speeds towards the edge are gamma above and -gamma below.
        matrix[n] = 0
        matrix[n, [n, n - 1, n - 2]] += _extrapolation(length[-1], length[-2])
        matrix[n, [0, 1, 2]] -= _extrapolation(length[0], length[1])
        right[n] = 0
    else:
        tangent = base / width
        bisector = along[-1] / length[-1] - along[0] / length[0]
        bisector /= np.hypot(*bisector)
        base_vorticity = float(bisector @ tangent)
        base_source = float(tangent[0] * bisector[1] - tangent[1] * bisector[0])
        vortex_start, vortex_end = _vortex_influence(nodes, nodes[-1:], tangent[None], np.array([width]))
        of_base = base_vorticity * (vortex_start + vortex_end)[:, 0] + base_source * _source_influence(
            nodes, nodes[-1], tangent, width
        )
        matrix[:-1, n] += of_base / 2
        matrix[:-1, 0] -= of_base / 2

    gamma = np.linalg.solve(matrix, right)[:-1]
    leaving = (gamma[-1] - gamma[0]) / 2
    circulation = length @ (gamma[1:] + gamma[:-1]) / 2 + leaving * base_vorticity * width
    return PanelFlow(nodes, float(alpha_deg), gamma, float(circulation))


def _checked_contour(contour: ArrayLike) -> FloatArray:
    """The nodes, clockwise."""
    nodes = np.array(contour, dtype=float)
    if nodes.ndim != 2 or nodes.shape[1] != 2:
        raise ValueError(f"contour must be an array of shape (n + 1, 2), got shape {nodes.shape}")
    if len(nodes) <= MIN_PANELS:
        raise ValueError(f"contour must have at least {MIN_PANELS} panels, got {len(nodes) - 1}")
    if not np.isfinite(nodes).all():
        raise ValueError(f"contour must be finite, got {nodes[~np.isfinite(nodes).all(axis=1)][0]}")
    steps = np.diff(nodes, axis=0)
    extent = float(np.ptp(nodes, axis=0).max())
    repeated = np.flatnonzero(np.hypot(steps[:, 0], steps[:, 1]) <= 1e-12 * extent)
    if len(repeated):
        raise ValueError(f"contour repeats node {repeated[0]} at {nodes[repeated[0]]}; drop one of the two")
    gap = float(np.hypot(*(nodes[0] - nodes[-1])))
    if gap > WIDEST_BASE * extent:
        raise ValueError(
            f"contour must run once around from the trailing edge back to it; its ends are {gap / extent:.2g} of its "
            f"extent apart, at most {WIDEST_BASE} is a blunt trailing edge"
        )
    x, y = nodes.T
    area = float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    if abs(area) <= 1e-9 * extent**2:
        raise ValueError("contour must enclose an area")
    return nodes if area < 0 else nodes[::-1]


def _direction(angle_deg: float) -> FloatArray:
    radians = np.radians(angle_deg)
    return np.array([np.cos(radians), np.sin(radians)])


def _extrapolation(first: float, second: float) -> FloatArray:
    """Weights of the edge and the next two nodes whose sum vanishes where the speed is linear in the distance."""
    return np.array([1, -(first + second) / second, first / second])


def _vortex_influence(
    points: FloatArray, start: FloatArray, tangent: FloatArray, length: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Stream function at each point of unit vorticity at a panel's start, and at its end, that falls to 0 at the other.

    Both results have shape (points, panels).
    """
    from_start = points[:, None] - start
    ahead = np.einsum("ijk,jk->ij", from_start, tangent)
    aside = np.abs(tangent[:, 0] * from_start[..., 1] - tangent[:, 1] * from_start[..., 0])
    behind = ahead - length
    # ln r is infinite at a panel's own nodes, its products below are 0 there: any finite value does.
    tiny = np.finfo(float).tiny
    square_start, square_end = ahead**2 + aside**2, behind**2 + aside**2
    log_start, log_end = np.log(np.maximum(square_start, tiny)), np.log(np.maximum(square_end, tiny))
    # The integrals of ln r and of ln r times the distance from the start, along the panel.
    constant = (ahead * log_start - behind * log_end) / 2 - length
    constant += aside * (np.arctan2(ahead, aside) - np.arctan2(behind, aside))
    linear = ahead * constant - (square_start * (log_start - 1) - square_end * (log_end - 1)) / 4
    by_end = linear / length / (2 * np.pi)
    return constant / (2 * np.pi) - by_end, by_end


def _source_influence(points: FloatArray, start: FloatArray, tangent: FloatArray, length: float) -> FloatArray:
    """Stream function at each point of unit sources on one panel that runs clockwise, array of shape (points,).

    A source's stream function is the angle around it, which must jump somewhere: here behind the base, outside the
    section, as the angle is taken from the direction into it.
    """
    from_start = points - start
    ahead = from_start @ tangent
    inside = from_start @ np.array([tangent[1], -tangent[0]])
    behind = ahead - length
    tiny = np.finfo(float).tiny

    def antiderivative(t: FloatArray) -> FloatArray:
        return cast(FloatArray, t * np.arctan2(t, inside) - inside / 2 * np.log(np.maximum(t**2 + inside**2, tiny)))

    return (antiderivative(ahead) - antiderivative(behind)) / (2 * np.pi)


@simulator(
    space=Space(
        camber=Real(0, 0.06, unit="chord", description="largest height of the camber line"),
        camber_position=Real(0.2, 0.7, unit="chord", description="where the camber is largest, from the leading edge"),
        thickness=Real(0.06, 0.20, unit="chord", description="largest thickness"),
        alpha=Real(-6, 12, unit="deg", description="angle of attack of the chord"),
    ),
    outputs=[
        Output("lift", description="lift coefficient, per unit span and chord"),
        Output("moment", description="pitching moment coefficient about the quarter chord, nose up"),
        Series(
            "pressure",
            at=STATIONS,
            coordinate="theta",
            coordinate_unit="rad",
            description="surface pressure coefficient at x/c = (1 + cos theta)/2, from the trailing edge over the "
            "lower surface to the leading edge at pi and back over the upper surface",
        ),
    ],
    version="1",
)
def airfoil(
    camber: float,
    camber_position: float,
    thickness: float,
    alpha: float,
    *,
    panels: int = 200,
    perpendicular_to: Literal["chord", "camber line"] = "chord",
) -> dict[str, Any]:
    """Lift, moment and surface pressure of a NACA 4-digit section in incompressible, inviscid flow.

    Parameters
    ----------
    camber, camber_position, thickness : float
        Largest camber, where it lies, and largest thickness, in chords: 0.02, 0.4 and 0.12 are NACA 2412.
    alpha : float
        Angle of attack, degrees.
    panels : int
        Even, at least 20. The default is good to 0.0005 in lift, 0.0002 in moment and 0.005 in pressure; except 0.03
        where the curvature of the camber line jumps, and 1% of the suction peak of thin sections at large angles.
    perpendicular_to : {"chord", "camber line"}
        How the thickness is laid off, see :func:`naca4`. Contours as in XFOIL by default, so that results compare with
        it; across the camber line, as NACA defined it, NACA 2412 has 0.005 more lift.

    Returns
    -------
    dict
        ``lift``, ``moment`` (about the quarter chord, nose up) and ``pressure``, an array of shape (81,).

    Raises
    ------
    ValueError
        If the number of panels or the section is not allowed.

    References
    ----------
    .. [1] E. N. Jacobs, K. E. Ward, R. M. Pinkerton, "The characteristics of 78 related airfoil sections from tests in
       the variable-density wind tunnel", NACA Report 460, 1933.
    .. [2] J. Katz, A. Plotkin, Low-Speed Aerodynamics, 2nd ed., Cambridge University Press, 2001, ch. 11.

    Examples
    --------
    >>> answer = airfoil(camber=0.02, camber_position=0.4, thickness=0.12, alpha=4)
    >>> round(answer["lift"], 3), round(answer["moment"], 3)  # XFOIL: 0.738, -0.062
    (0.738, -0.062)
    """
    angles = panel_angles(panels)
    flow = solve_panels(
        naca4(angles, camber, camber_position, thickness, perpendicular_to=perpendicular_to), alpha_deg=alpha
    )
    lift, _, moment = flow.coefficients()
    # The speed is smooth around the nose, where its square, the pressure, has a narrow peak.
    speed = CubicSpline(angles, flow.speed)(STATIONS)
    return {"lift": lift, "moment": moment, "pressure": 1 - speed**2}
