// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import {IPool, IPositionManager} from "./Interfaces.sol";

/// Everything one turn reads, in one call at one block. Never deployed: a node runs it under
/// `eth_call`, its runtime code put at any address by a state override, or by `Deployless` where
/// overrides are refused.
///
/// Nothing here reverts because of what it finds in the real contracts: a pool without code or
/// price is a flag, a probe that fails is a `false`, and no probe can use more than `PROBE_GAS` or
/// answer with more than `PROBE_BYTES`. Only something that pretends to be a pool or a position
/// manager, and then answers nonsense, makes the whole call revert.
///
/// Every struct but `Oracle` and `ProbeResult` is static, so it is a run of 32-byte words in the
/// answer; signed values are sign-extended.
contract SnapshotLens {
    /// The pool has code and answered `slot0` with at least seven words.
    uint256 public constant POOL_ANSWERS = 1;
    /// The pool has a price.
    uint256 public constant POOL_INITIALISED = 2;
    /// The position manager has code and told how many NFTs the wallet holds.
    uint256 public constant MANAGER_ANSWERS = 4;

    uint256 private constant PROBE_GAS = 300_000;
    uint256 private constant PROBE_BYTES = 2048;

    /// Seven words. `baseFee` is whatever the node runs `eth_call` with: the block's, the next
    /// block's, or 0. Take the block's own from its header.
    struct BlockFacts {
        uint256 number;
        uint256 timestamp;
        bytes32 parentHash;
        uint256 chainId;
        uint256 baseFee;
        uint256 gasLimit;
        uint256 walletWei;
    }

    /// Nineteen words. All zero when `POOL_ANSWERS` is not set.
    struct PoolFacts {
        address token0;
        address token1;
        uint24 fee;
        int24 tickSpacing;
        uint128 maxLiquidityPerTick;
        uint160 sqrtPriceX96;
        int24 tick;
        uint16 observationIndex;
        uint16 observationCardinality;
        uint16 observationCardinalityNext;
        uint8 feeProtocol;
        bool unlocked;
        uint128 liquidity;
        uint256 feeGrowthGlobal0X128;
        uint256 feeGrowthGlobal1X128;
        uint128 protocolFees0;
        uint128 protocolFees1;
        uint32 oldestObservation;
        uint32 newestObservation;
    }

    /// `ok` is false, and the arrays empty, when the pool's history is shorter than was asked.
    struct Oracle {
        bool ok;
        int56[] tickCumulatives;
        uint160[] secondsPerLiquidityCumulativeX128s;
    }

    /// Seventeen words: one NFT of the wallet in this pool, the fee growth outside its two ticks,
    /// and what the pool owes the position manager over that range, from which the fees that a
    /// `collect` would pay follow exactly: the pool pays no more than it owes, and every NFT of a
    /// range rounds by itself.
    struct PositionFacts {
        uint256 tokenId;
        int24 tickLower;
        int24 tickUpper;
        uint128 liquidity;
        uint256 feeGrowthInside0LastX128;
        uint256 feeGrowthInside1LastX128;
        uint128 tokensOwed0;
        uint128 tokensOwed1;
        uint256 lowerFeeGrowthOutside0X128;
        uint256 lowerFeeGrowthOutside1X128;
        uint256 upperFeeGrowthOutside0X128;
        uint256 upperFeeGrowthOutside1X128;
        uint128 managerLiquidity;
        uint256 managerFeeGrowthInside0LastX128;
        uint256 managerFeeGrowthInside1LastX128;
        uint128 managerTokensOwed0;
        uint128 managerTokensOwed1;
    }

    /// `held` is the wallet's `balanceOf`, `scanned` how many of those were looked at by index
    /// (at most `maxTokens`), `ofOtherPools` how many of all tokens looked at belong elsewhere.
    struct Nfts {
        uint256 held;
        uint256 scanned;
        uint256 ofOtherPools;
    }

    struct Probe {
        address target;
        bytes callData;
    }

    struct ProbeResult {
        bool ok;
        bytes data;
    }

    struct Snapshot {
        uint256 flags;
        BlockFacts at;
        PoolFacts pool;
        Oracle oracle;
        Nfts nfts;
        PositionFacts[] positions;
        ProbeResult[] probes;
    }

    /// Eight words.
    struct TickFacts {
        int24 tick;
        uint128 liquidityGross;
        int128 liquidityNet;
        uint256 feeGrowthOutside0X128;
        uint256 feeGrowthOutside1X128;
        int56 tickCumulativeOutside;
        uint160 secondsPerLiquidityOutsideX128;
        uint32 secondsOutside;
    }

    /// Four words.
    struct ObservationFacts {
        uint32 blockTimestamp;
        int56 tickCumulative;
        uint160 secondsPerLiquidityCumulativeX128;
        bool initialized;
    }

    /// One turn's view of the world.
    /// @param pool the market's pool
    /// @param positionManager the NFT contract, or zero for none
    /// @param wallet whose positions and ether are read
    /// @param observeSecondsAgo what `pool.observe` is asked; empty for no question
    /// @param knownTokenIds NFTs looked at first, if the wallet still owns them
    /// @param maxTokens how many of the wallet's NFTs are enumerated at most
    /// @param probes further reads, each with bounded gas and answer
    /// @return s positions come known ones first, then in the order of enumeration, each once
    function snapshot(
        address pool,
        address positionManager,
        address wallet,
        uint32[] calldata observeSecondsAgo,
        uint256[] calldata knownTokenIds,
        uint256 maxTokens,
        Probe[] calldata probes
    ) external view returns (Snapshot memory s) {
        s.at = _block(wallet);
        (s.flags, s.pool) = _pool(pool);
        if (s.flags & POOL_INITIALISED != 0 && observeSecondsAgo.length > 0) {
            s.oracle = _observe(IPool(pool), observeSecondsAgo);
        }
        _positions(s, pool, positionManager, wallet, knownTokenIds, maxTokens);
        s.probes = _probe(probes);
    }

    /// Every initialised tick whose bitmap word lies in [wordLow, wordHigh], lowest first. All of
    /// a pool is `(MIN_TICK / tickSpacing) >> 8` to `(MAX_TICK / tickSpacing) >> 8`.
    function ticks(address pool, int16 wordLow, int16 wordHigh)
        external
        view
        returns (uint256 flags, BlockFacts memory at, PoolFacts memory facts, TickFacts[] memory found)
    {
        at = _block(address(0));
        (flags, facts) = _pool(pool);
        if (flags & POOL_ANSWERS != 0 && wordLow <= wordHigh) {
            found = _ticks(IPool(pool), facts.tickSpacing, wordLow, wordHigh);
        }
    }

    /// `count` slots of the pool's observation ring from `first` on, in the order of the ring.
    function observations(address pool, uint16 first, uint16 count)
        external
        view
        returns (ObservationFacts[] memory found)
    {
        if (pool.code.length == 0) return found;
        found = new ObservationFacts[](count);
        for (uint256 i = 0; i < count; i++) {
            ObservationFacts memory o = found[i];
            (
                o.blockTimestamp,
                o.tickCumulative,
                o.secondsPerLiquidityCumulativeX128,
                o.initialized
            ) = IPool(pool).observations(uint256(first) + i);
        }
    }

    function _block(address wallet) private view returns (BlockFacts memory) {
        return BlockFacts({
            number: block.number,
            timestamp: block.timestamp,
            parentHash: blockhash(block.number - 1),
            chainId: block.chainid,
            baseFee: block.basefee,
            gasLimit: block.gaslimit,
            walletWei: wallet.balance
        });
    }

    function _pool(address pool) private view returns (uint256 flags, PoolFacts memory p) {
        (bool ok, bytes memory data) = _read(pool, abi.encodeCall(IPool.slot0, ()));
        if (!ok || data.length < 7 * 32) return (0, p);
        flags = POOL_ANSWERS;
        (
            p.sqrtPriceX96,
            p.tick,
            p.observationIndex,
            p.observationCardinality,
            p.observationCardinalityNext,
            p.feeProtocol,
            p.unlocked
        ) = abi.decode(data, (uint160, int24, uint16, uint16, uint16, uint8, bool));
        p.token0 = IPool(pool).token0();
        p.token1 = IPool(pool).token1();
        p.fee = IPool(pool).fee();
        p.tickSpacing = IPool(pool).tickSpacing();
        p.maxLiquidityPerTick = IPool(pool).maxLiquidityPerTick();
        p.liquidity = IPool(pool).liquidity();
        p.feeGrowthGlobal0X128 = IPool(pool).feeGrowthGlobal0X128();
        p.feeGrowthGlobal1X128 = IPool(pool).feeGrowthGlobal1X128();
        (p.protocolFees0, p.protocolFees1) = IPool(pool).protocolFees();
        if (p.sqrtPriceX96 == 0) return (flags, p);
        flags |= POOL_INITIALISED;
        (p.oldestObservation, p.newestObservation) =
            _history(IPool(pool), p.observationIndex, p.observationCardinality);
    }

    /// The ring's next slot is the oldest once the ring has gone round; before that, slot 0 is.
    function _history(IPool pool, uint16 index, uint16 cardinality)
        private
        view
        returns (uint32 oldest, uint32 newest)
    {
        bool written;
        (oldest,,, written) = pool.observations((uint256(index) + 1) % cardinality);
        if (!written) (oldest,,,) = pool.observations(0);
        (newest,,,) = pool.observations(index);
    }

    function _observe(IPool pool, uint32[] calldata secondsAgos)
        private
        view
        returns (Oracle memory o)
    {
        try pool.observe(secondsAgos) returns (int56[] memory t, uint160[] memory s) {
            return Oracle({ok: true, tickCumulatives: t, secondsPerLiquidityCumulativeX128s: s});
        } catch {}
    }

    function _positions(
        Snapshot memory s,
        address pool,
        address manager,
        address wallet,
        uint256[] calldata known,
        uint256 maxTokens
    ) private view {
        (bool ok, bytes memory data) =
            _read(manager, abi.encodeCall(IPositionManager.balanceOf, (wallet)));
        if (!ok || data.length < 32) return;
        s.flags |= MANAGER_ANSWERS;
        s.nfts.held = abi.decode(data, (uint256));
        s.nfts.scanned = s.nfts.held < maxTokens ? s.nfts.held : maxTokens;

        PositionFacts[] memory found = new PositionFacts[](known.length + s.nfts.scanned);
        uint256 n;
        for (uint256 i = 0; i < known.length; i++) {
            if (_listed(known[:i], known[i]) || !_owns(manager, wallet, known[i])) continue;
            n = _add(s, pool, manager, known[i], found, n);
        }
        for (uint256 i = 0; i < s.nfts.scanned; i++) {
            uint256 tokenId = IPositionManager(manager).tokenOfOwnerByIndex(wallet, i);
            if (_listed(known, tokenId)) continue;
            n = _add(s, pool, manager, tokenId, found, n);
        }
        assembly {
            mstore(found, n)
        }
        s.positions = found;
    }

    /// Appends the NFT to `found` when it is of this pool; returns the new length.
    function _add(
        Snapshot memory s,
        address pool,
        address manager,
        uint256 tokenId,
        PositionFacts[] memory found,
        uint256 n
    ) private view returns (uint256) {
        IPositionManager.Position memory p = IPositionManager(manager).positions(tokenId);
        bool here = s.flags & POOL_ANSWERS != 0 && p.token0 == s.pool.token0
            && p.token1 == s.pool.token1 && p.fee == s.pool.fee;
        if (!here) {
            s.nfts.ofOtherPools += 1;
            return n;
        }
        PositionFacts memory f = found[n];
        f.tokenId = tokenId;
        f.tickLower = p.tickLower;
        f.tickUpper = p.tickUpper;
        f.liquidity = p.liquidity;
        f.feeGrowthInside0LastX128 = p.feeGrowthInside0LastX128;
        f.feeGrowthInside1LastX128 = p.feeGrowthInside1LastX128;
        f.tokensOwed0 = p.tokensOwed0;
        f.tokensOwed1 = p.tokensOwed1;
        (,, f.lowerFeeGrowthOutside0X128, f.lowerFeeGrowthOutside1X128,,,,) =
            IPool(pool).ticks(p.tickLower);
        (,, f.upperFeeGrowthOutside0X128, f.upperFeeGrowthOutside1X128,,,,) =
            IPool(pool).ticks(p.tickUpper);
        _owedToManager(pool, manager, f);
        return n + 1;
    }

    function _owedToManager(address pool, address manager, PositionFacts memory f) private view {
        bytes32 key = keccak256(abi.encodePacked(manager, f.tickLower, f.tickUpper));
        (
            f.managerLiquidity,
            f.managerFeeGrowthInside0LastX128,
            f.managerFeeGrowthInside1LastX128,
            f.managerTokensOwed0,
            f.managerTokensOwed1
        ) = IPool(pool).positions(key);
    }

    function _owns(address manager, address wallet, uint256 tokenId) private view returns (bool) {
        (bool ok, bytes memory data) =
            _read(manager, abi.encodeCall(IPositionManager.ownerOf, (tokenId)));
        return ok && data.length >= 32 && abi.decode(data, (address)) == wallet;
    }

    function _listed(uint256[] calldata ids, uint256 id) private pure returns (bool) {
        for (uint256 i = 0; i < ids.length; i++) {
            if (ids[i] == id) return true;
        }
        return false;
    }

    function _ticks(IPool pool, int24 spacing, int16 wordLow, int16 wordHigh)
        private
        view
        returns (TickFacts[] memory found)
    {
        uint256 words = uint256(int256(wordHigh) - int256(wordLow) + 1);
        uint256[] memory bitmaps = new uint256[](words);
        uint256 total;
        for (uint256 w = 0; w < words; w++) {
            bitmaps[w] = pool.tickBitmap(int16(int256(wordLow) + int256(w)));
            for (uint256 rest = bitmaps[w]; rest != 0; rest &= rest - 1) total++;
        }
        found = new TickFacts[](total);
        uint256 n;
        for (uint256 w = 0; w < words; w++) {
            int256 base = (int256(wordLow) + int256(w)) * 256;
            for (uint256 rest = bitmaps[w]; rest != 0; rest &= rest - 1) {
                int256 compressed = base + int256(_lowestBit(rest));
                _tick(pool, int24(compressed * spacing), found[n++]);
            }
        }
    }

    function _tick(IPool pool, int24 tick, TickFacts memory t) private view {
        t.tick = tick;
        (
            t.liquidityGross,
            t.liquidityNet,
            t.feeGrowthOutside0X128,
            t.feeGrowthOutside1X128,
            t.tickCumulativeOutside,
            t.secondsPerLiquidityOutsideX128,
            t.secondsOutside,
        ) = pool.ticks(tick);
    }

    function _lowestBit(uint256 x) private pure returns (uint256 bit) {
        for (uint256 half = 128; half > 0; half >>= 1) {
            if (x & ((1 << half) - 1) == 0) {
                x >>= half;
                bit += half;
            }
        }
    }

    function _probe(Probe[] calldata probes) private view returns (ProbeResult[] memory results) {
        results = new ProbeResult[](probes.length);
        for (uint256 i = 0; i < probes.length; i++) {
            (results[i].ok, results[i].data) = _read(probes[i].target, probes[i].callData);
        }
    }

    /// A call without code at its target fails here, though the EVM lets it succeed.
    function _read(address target, bytes memory callData)
        private
        view
        returns (bool ok, bytes memory data)
    {
        if (target.code.length == 0) return (false, data);
        uint256 gasLimit = PROBE_GAS;
        uint256 most = PROBE_BYTES;
        assembly {
            ok := staticcall(gasLimit, target, add(callData, 32), mload(callData), 0, 0)
            let size := returndatasize()
            if gt(size, most) { size := most }
            data := mload(0x40)
            mstore(data, size)
            returndatacopy(add(data, 32), 0, size)
            mstore(0x40, and(add(add(data, size), 63), not(31)))
        }
    }
}
