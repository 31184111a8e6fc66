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
    shaped = {name: p.annotation for name, p in signature.parameters.items() if _arrays(p.annotation)}
    promised = signature.return_annotation

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        for name, annotation in shaped.items():
            if name in given:
                _check(name, given[name], annotation)
        result = function(*args, **kwargs)
        if _arrays(promised):
            _check("the result", result, promised)
        return result

    return wrapper


def _arrays(annotation: Any) -> list[type]:
    """Return the array types that an annotation allows, by itself or as one of several."""
    options = get_args(annotation) or (annotation,)
    return [option for option in options if inspect.isclass(option) and issubclass(option, AbstractArray)]


def _check(name: str, value: Any, annotation: Any) -> None:
    optional = get_args(annotation) and not hasattr(value, "shape")  # mypy sees to what is not an array
    if not optional and not any(isinstance(value, option) for option in _arrays(annotation)):
        raise TypeError(f"{name} is not {annotation}")
