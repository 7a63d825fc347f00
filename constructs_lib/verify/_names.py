"""What the app and the checks agree upon; no CDK, as the checks use it too."""

MAIN = "main"
"""The stack with everything."""

THROTTLED, CUSTOM_DOMAIN = "512", "1024"
"""The stacks with a registration alone, named after their memory in MiB: one with half a throttle, one with the custom
domain if one is given."""

RELEASED = "released"
"""The stack of an earlier release, which is upgraded."""

PRODUCT_CODE = RELEASED_PRODUCT_CODE = "a290sds6en72spp3ph4q890es"
"""The product code in the recorded release; a made-up one, of the form that AWS Marketplace's have."""

LANDING_PAGE = "https://app.example.com/signup"

RATE_LIMIT = 1

TAG = "marketplace-registration-verify"
"""The key of the tag that every stack has; its value is the name of the run."""

PREFIX = "mr-verify-"
"""How the name of each run begins, and so of each stack."""

DEPLOYMENT = "deployment"
"""The first check."""

NOTHING_LEFT = "nothing-left"
"""The last check, after everything was removed."""
