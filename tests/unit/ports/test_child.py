from ci_lib.ports.child import Finished
from ci_lib.ports.protocols import Ran


def test_output_becomes_text_whatever_the_bytes() -> None:
    ran = Finished(code=3, stdout=b"a\xff", stderr="ü".encode()).ran()
    assert ran == Ran(code=3, stdout="a\ufffd", stderr="ü")
