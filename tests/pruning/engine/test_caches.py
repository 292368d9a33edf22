from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from pruning.engine.caches import cached, caches, clear_caches
from pruning.engine.evaluate import evaluate
from pruning.engine.prune import has_cached_scores, prune, rank_units
from pruning.models import checkpoints
from pruning.recipe.recipe import Recipe

RECIPE = Recipe.one_step("lenet300", "digits", criterion="lamp", value=0.4)


def test_every_cache_has_a_name_and_a_size_within_its_limit():
    evaluate([RECIPE])
    names = Counter(cache.name for cache in caches())
    assert set(names.values()) == {1} and all(names)
    for cache in caches():
        assert cache.max_size is None or 0 <= cache.size() <= cache.max_size
    sizes = {cache.name: cache.size() for cache in caches()}
    for name in ("sorted scores, bytes", "masked networks, bytes", "trained networks"):
        assert sizes[name] > 0


def test_clearing_clears_every_cache_and_changes_no_result():
    before, pruned = rank_units(RECIPE), prune(RECIPE)
    model = checkpoints.shared_model("lenet300", "digits")
    assert has_cached_scores(RECIPE)
    clear_caches()
    assert [cache.size() for cache in caches()] == [0] * len(caches())
    assert not has_cached_scores(RECIPE)
    assert checkpoints.shared_model("lenet300", "digits") is not model
    assert rank_units(RECIPE) is not before
    assert prune(RECIPE).kept_weights == pruned.kept_weights


def test_the_least_recently_used_results_are_dropped():
    calls = []

    @cached("squares", max_size=10, key=lambda x, y: x, size_of=lambda value: 4)
    def square(x, y):
        calls.append(x)
        return x * x

    assert [square(x, 0) for x in (1, 2, 1, 3, 1, 2)] == [1, 4, 1, 9, 1, 4]
    assert calls == [1, 2, 3, 2]  # two results have room; 1 was used in between
    assert square.is_cached(1) and square.is_cached(2) and not square.is_cached(3)
    [cache] = [cache for cache in caches() if cache.name == "squares"]
    assert (cache.size(), cache.max_size) == (8, 10)
    cache.clear()
    assert cache.size() == 0 and not square.is_cached(1)


def test_a_result_that_is_too_large_is_returned_and_not_kept():
    @cached("large", max_size=1, key=lambda: 0, size_of=lambda value: 2)
    def large():
        return "large"

    assert large() == "large" and not large.is_cached(0)


def test_an_exception_is_not_cached():
    results = [ValueError("first"), "second"]

    @cached("flaky", max_size=1, key=lambda: 0)
    def flaky():
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    with pytest.raises(ValueError, match="first"):
        flaky()
    assert flaky() == flaky() == "second"


def test_a_cached_function_may_call_itself_and_run_in_threads():
    @cached("factorials", max_size=100, key=lambda n: n)
    def factorial(n):
        return 1 if n == 0 else n * factorial(n - 1)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(factorial, [20] * 40)) == {2432902008176640000}
