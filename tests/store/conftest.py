"""What Hypothesis builds nouns from: finite decimals, integers of any size, text of any kind."""

from decimal import Decimal

from hypothesis import strategies as st

st.register_type_strategy(int, st.integers(-(2**255), 2**255))
st.register_type_strategy(
    str, st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)
)
st.register_type_strategy(Decimal, st.decimals(allow_nan=False, allow_infinity=False, places=18))
