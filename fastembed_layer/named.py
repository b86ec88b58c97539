"""One way to name things: turn a string, config, class, instance or callable into an object.

Every family (initializers, regularizers, constraints, losses, metrics, optimizers) owns one `NamedObjects`.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, Generic, ParamSpec, TypeVar

Thing = TypeVar("Thing")
Arguments = ParamSpec("Arguments")


def snake_case(name: str) -> str:
    """Spell a class name the way Keras spells its string identifiers.

    >>> snake_case("GlobalAveragePooling1D"), snake_case("L1L2")
    ('global_average_pooling1d', 'l1l2')
    """
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def nearest_names(name: str, known: list[str]) -> str:
    """Phrase a hint that names the closest known names, or all of them when none is close."""
    close = difflib.get_close_matches(name, known, n=3)
    if close:
        return "Did you mean " + " or ".join(repr(match) for match in close) + "?"
    return f"Known names: {', '.join(sorted(known))}."


def argument_names(cls: type) -> list[str]:
    """Return the names of all arguments of a class whose constructor hands keywords on to that of its base."""
    names: dict[str, None] = {}
    for base in cls.__mro__:
        constructor = vars(base).get("__init__")
        if inspect.isfunction(constructor):
            parameters = list(inspect.signature(constructor).parameters.values())[1:]
            names |= dict.fromkeys(one.name for one in parameters if one.kind is not inspect.Parameter.VAR_KEYWORD)
            if all(one.kind is not inspect.Parameter.VAR_KEYWORD for one in parameters):
                break
    return list(names)


def refuse_unknown_arguments(constructor: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Let a constructor refuse keywords that it does not have with the nearest that it has.

    One that takes any keywords hands them on to its base, which refuses them.
    """
    parameters = inspect.signature(constructor).parameters
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
        return constructor

    @functools.wraps(constructor)
    def construct(*args: Arguments.args, **keywords: Arguments.kwargs) -> None:
        for name in keywords:
            if name not in parameters:
                known = argument_names(type(args[0]))
                hint = nearest_names(name, known) if known else "It takes no arguments."
                raise TypeError(f"{type(args[0]).__name__} got an unexpected keyword argument {name!r}. {hint}")
        constructor(*args, **keywords)

    return construct


class StrictArguments:
    """Base of classes whose constructors, those of subclasses too, name the nearest argument of an unknown one.

    >>> class Circle(StrictArguments):
    ...     def __init__(self, radius: float = 1.0):
    ...         self.radius = radius
    >>> Circle(raduis=2.0)
    Traceback (most recent call last):
    TypeError: Circle got an unexpected keyword argument 'raduis'. Did you mean 'radius'?
    """

    @refuse_unknown_arguments
    def __init__(self) -> None: ...

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            setattr(cls, "__init__", refuse_unknown_arguments(vars(cls)["__init__"]))  # noqa: B010


class NamedObjects(Generic[Thing]):
    """The classes of one family, found by name and built from any accepted identifier.

    Parameters
    ----------
    kind : str
        What the family is called in error messages, such as ``"initializer"``.
    base : type
        The base class of the family.
    wrap : callable, optional
        Turns a plain callable into a member of the family; without it callables are refused.
    """

    def __init__(self, kind: str, base: type[Thing], wrap: Callable[[Callable[..., Any]], Thing] | None = None):
        self.kind = kind
        self.base = base
        self.wrap = wrap
        self.classes: dict[str, type[Thing]] = {}
        self.functions: dict[Callable[..., Any], type[Thing]] = {}

    def add(self, cls: type[Thing], *aliases: str, function: Callable[..., Any] | None = None) -> type[Thing]:
        """Make `cls` known under its class name, in lower case and in snake case too, and under `aliases`.

        A `function` that computes the same is an identifier of the class, by itself and by its name.
        """
        names = (cls.__name__, cls.__name__.lower(), snake_case(cls.__name__), *aliases)
        if function is not None:
            self.functions[function] = cls
            names = (*names, function.__name__)
        for name in names:
            self.classes[name] = cls
        return cls

    def get(self, identifier: Any) -> Thing | None:
        """Return the object that `identifier` names; None stays None.

        Raises
        ------
        ValueError
            For an unknown name or a config whose arguments do not fit.
        TypeError
            For an identifier that is none of the accepted kinds.
        """
        if identifier is None or isinstance(identifier, self.base):
            return identifier
        if isinstance(identifier, str):
            return self._build(self._find(identifier), {})
        if isinstance(identifier, Mapping):
            return self._from_mapping(identifier)
        if inspect.isclass(identifier) and issubclass(identifier, self.base):
            return self._build(identifier, {})
        if inspect.isfunction(identifier) and identifier in self.functions:
            return self._build(self.functions[identifier], {})
        if callable(identifier) and not inspect.isclass(identifier) and self.wrap is not None:
            return self.wrap(identifier)
        raise TypeError(
            f"Could not interpret the {self.kind} identifier: expected a name, a config, a class or an instance "
            f"of {self.base.__name__}{' or a callable' if self.wrap else ''}. "
            f"Received: {identifier!r} (of type {type(identifier).__name__})."
        )

    def deserialize(self, config: Any, custom_objects: Mapping[str, Any] | None = None) -> Thing | None:
        """Return the object of a config or a name, looked up in `custom_objects` before the family's own classes."""
        name = config.get("class_name") if isinstance(config, Mapping) else config
        if not isinstance(name, str) or name not in (custom_objects or {}):
            return self.get(config)
        custom = (custom_objects or {})[name]
        if isinstance(config, Mapping) and inspect.isclass(custom) and issubclass(custom, self.base):
            return self._build(custom, dict(config.get("config") or {}))
        return self.get(custom)

    def serialize(self, thing: Any) -> Any:
        """Return what `get` and `deserialize` read: a config, for one of the family's functions its name."""
        if inspect.isfunction(thing) and thing in self.functions:
            return thing.__name__
        return serialize(thing)

    def _find(self, name: str) -> type[Thing]:
        for spelling in (name, name.lower()):
            if spelling in self.classes:
                return self.classes[spelling]
        raise ValueError(f"Unknown {self.kind}: {name!r}. {nearest_names(name, list(self.classes))}")

    def _from_mapping(self, config: Mapping[str, Any]) -> Thing:
        if "class_name" not in config:
            raise ValueError(f"A {self.kind} config needs the key 'class_name'. Received: {dict(config)!r}.")
        name, arguments = config["class_name"], config.get("config") or {}
        if not isinstance(name, str) or not isinstance(arguments, Mapping):
            raise TypeError(
                f"The {self.kind} config must have a string under 'class_name' and a dict under 'config'. "
                f"Received: {dict(config)!r}."
            )
        return self._build(self._find(name), dict(arguments))

    def _build(self, cls: type[Thing], arguments: dict[str, Any]) -> Thing:
        from_config = getattr(cls, "from_config", None)
        try:
            return from_config(arguments) if from_config else cls(**arguments)
        except TypeError as error:
            raise ValueError(f"The {self.kind} {cls.__name__} cannot be built from {arguments!r}: {error}") from error


def serialize(thing: Any) -> Any:
    """Return the Keras config of a named object: ``{"class_name": ..., "config": ...}``; None stays None."""
    if thing is None:
        return None
    return {"class_name": type(thing).__name__, "config": thing.get_config()}
