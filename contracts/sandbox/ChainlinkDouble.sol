// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// A price feed that says what it was last told: 8 decimals, one round after the other. Anybody
/// may speak to it, with any time stamp, so that a stale feed can be had at will.
contract ChainlinkDouble {
    /// Feeds are read through an aggregator proxy, whose round ids carry a phase in the high bits.
    uint80 private constant PHASE = 1 << 64;

    string public description;
    uint64 private rounds;
    int256 private answer;
    uint256 private updatedAt;

    event AnswerUpdated(int256 indexed current, uint256 indexed roundId, uint256 updatedAt);

    function decimals() external pure returns (uint8) {
        return 8;
    }

    function version() external pure returns (uint256) {
        return 4;
    }

    function setDescription(string calldata text) external {
        description = text;
    }

    /// `newAnswer` in 1e-8 of the quote currency; `at` in seconds, 0 for the block's own time.
    function setAnswer(int256 newAnswer, uint256 at) external {
        rounds += 1;
        answer = newAnswer;
        updatedAt = at == 0 ? block.timestamp : at;
        emit AnswerUpdated(newAnswer, PHASE | rounds, updatedAt);
    }

    function latestRoundData()
        external
        view
        returns (uint80 roundId, int256, uint256 startedAt, uint256, uint80 answeredInRound)
    {
        require(rounds > 0, "No data present");
        roundId = PHASE | rounds;
        return (roundId, answer, updatedAt, updatedAt, roundId);
    }
}
