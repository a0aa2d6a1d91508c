"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# Both judge the machine, which may have other things to do, and not what is tested.
settings.register_profile("minicloud", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("minicloud")
