from dev.temporal_server import SEARCH_ATTRIBUTES
from mipres.temporal import names


def test_server_registers_the_search_attributes_that_the_workflows_use() -> None:
    # `KeywordList` of the server's command line is `KEYWORD_LIST` in the SDK.
    used = {key.name: key.indexed_value_type.name.replace("_", "") for key in names.SEARCH_ATTRIBUTES}
    assert {name: kind.upper() for name, kind in SEARCH_ATTRIBUTES.items()} == used
