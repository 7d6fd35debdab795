// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// Runs a call on code that is nowhere deployed, for nodes that refuse state overrides: an
/// `eth_call` without `to`, whose data is this creation code with both arguments appended. The
/// answer takes the place of deployed code, so it is capped at 24,576 bytes.
contract Deployless {
    constructor(bytes memory creationCode, bytes memory callData) {
        assembly {
            let lens := create(0, add(creationCode, 32), mload(creationCode))
            if iszero(lens) { revert(0, 0) }
            let ok := staticcall(gas(), lens, add(callData, 32), mload(callData), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if iszero(ok) { revert(0, returndatasize()) }
            return(0, returndatasize())
        }
    }
}
