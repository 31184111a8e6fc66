"""Checks the shapes that jaxtyping's annotations promise, and nothing else: all other types are mypy's.

A full run-time checker would refuse what our code uses: `Self` in classes that it does not decorate itself, protocols
that cannot be asked at run time.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, get_args

from jaxtyping import AbstractArray


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Raise TypeError where an argument or the result has not the shape or type of its annotation."""
    signature = inspect.signature(function)
    shaped = [(place, name, p.annotation, tuple(_arrays(p.annotation)))
              for place, (name, p) in enumerate(signature.parameters.items()) if _arrays(p.annotation)]  # fmt: skip
    promised = signature.return_annotation
    result_options = tuple(_arrays(promised))
    if not shaped and not result_options:
        return function

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        for place, name, annotation, options in shaped:
            if place < len(args):
                _check(name, args[place], annotation, options)
            elif name in kwargs:
                _check(name, kwargs[name], annotation, options)
        result = function(*args, **kwargs)
        if result_options:
            _check("the result", result, promised, result_options)
        return result

    return wrapper


def _arrays(annotation: Any) -> list[type]:
    """Return the array types that an annotation allows, by itself or as one of several."""
    options = get_args(annotation) or (annotation,)
    return [option for option in options if inspect.isclass(option) and issubclass(option, AbstractArray)]


def _check(name: str, value: Any, annotation: Any, options: tuple[type, ...]) -> None:
    optional = get_args(annotation) and not hasattr(value, "shape")  # mypy sees to what is not an array
    if not optional and not any(isinstance(value, option) for option in options):
        raise TypeError(f"{name} is not {annotation}")
