"""The nodes in a tinc daemon's log."""

from __future__ import annotations

from overlays.tinc import status as tinc_status
from tests.paths import FIXTURES


class TestTinc:
    LOG = (FIXTURES / "tinc" / "nodes.log").read_text()

    def test_far_nodes_are_handed_to_the_neighbour_on_the_way(self) -> None:
        seen = tinc_status.nodes(self.LOG)
        assert seen["AMS2"].nexthop == "BRA"
        assert seen["AMS"].nexthop == "AMS"

    def test_a_settled_mesh_lacks_nothing(self) -> None:
        assert tinc_status.lacking(self.LOG, 1390, ["AMS", "BRA"], ["AMS", "BRA", "LJU", "MIL", "AMS2"]) == ""

    def test_a_hop_without_a_known_path_mtu_is_named(self) -> None:
        log = self.LOG.replace("pmtu 1468 (min 1468 max 1468)", "pmtu 1518 (min 0 max 1518)")
        assert "UDP to AMS is not confirmed" in tinc_status.lacking(log, 1390, ["AMS"], [])

    def test_a_hop_is_settled_once_the_longest_frame_passes_it(self) -> None:
        """Or all that its path carries, where that is less."""
        for (least, most, frame), words in {
            (1389, 1468, 1390): "the path MTU to AMS is between 1389 and 1468",
            (1390, 1468, 1390): "",
            (1468, 1468, 1514): "",
        }.items():
            log = self.LOG.replace("(min 1468 max 1468)", f"(min {least} max {most})")
            assert tinc_status.lacking(log, frame, ["AMS"], []) == words

    def test_only_a_complete_list_counts(self) -> None:
        assert tinc_status.nodes(self.LOG.split("End of nodes")[0]) == {}
        assert tinc_status.lacking("", 1390, ["AMS"], ["AMS"]).startswith("AMS is unknown")
