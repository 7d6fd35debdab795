// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// The upgradable proxy in front of PAXG: its implementation and its admin live in the slots of
/// the pre-EIP-1967 era, so a reader that knows only EIP-1967 sees nothing. The admin talks to
/// the proxy, everybody else to the implementation.
contract PaxgProxy {
    /// keccak256("org.zeppelinos.proxy.implementation")
    bytes32 private constant IMPLEMENTATION_SLOT =
        0x7050c9e0f4ca769c69bd3a8ef740bc37934f8e2c036e5a723fd8ee048ed3f8c3;
    /// keccak256("org.zeppelinos.proxy.admin")
    bytes32 private constant ADMIN_SLOT =
        0x10d6a54a4754c8869d6886b5f5d7fbfa5b4522237ea5c60d11bc4e7a1ff9390b;

    event Upgraded(address indexed implementation);

    constructor(address implementation_, address admin_) {
        _store(IMPLEMENTATION_SLOT, implementation_);
        _store(ADMIN_SLOT, admin_);
    }

    function upgradeTo(address implementation_) external {
        if (msg.sender != _load(ADMIN_SLOT)) return _delegate();
        require(implementation_.code.length > 0, "not a contract");
        _store(IMPLEMENTATION_SLOT, implementation_);
        emit Upgraded(implementation_);
    }

    fallback() external payable {
        require(msg.sender != _load(ADMIN_SLOT), "the admin cannot use the token");
        _delegate();
    }

    receive() external payable {
        _delegate();
    }

    function _delegate() private {
        address target = _load(IMPLEMENTATION_SLOT);
        assembly {
            calldatacopy(0, 0, calldatasize())
            let ok := delegatecall(gas(), target, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            switch ok
            case 0 { revert(0, returndatasize()) }
            default { return(0, returndatasize()) }
        }
    }

    function _load(bytes32 slot) private view returns (address value) {
        assembly {
            value := sload(slot)
        }
    }

    function _store(bytes32 slot, address value) private {
        assembly {
            sstore(slot, value)
        }
    }
}
